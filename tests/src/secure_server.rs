//! An HTTPS server on this machine, with a certificate that nobody has heard of.

use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
};

/// A server that answers so many requests, each on a connection of its own, with the same JSON.
#[derive(Debug)]
pub struct SecureServer {
    /// Where it is.
    pub url: String,
    /// Its certificate, as PEM.
    pub certificate: String,
    serving: JoinHandle<Vec<String>>,
}

impl SecureServer {
    /// Starts the server.
    pub fn start(connections: usize, answer: &Value) -> SecureServer {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3").with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![own.cert.der().clone()], key).expect("a key that fits"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let body = answer.to_string();
        let serving = thread::spawn(move || {
            let accepted = (0..connections).map(|_| listener.accept().expect("a connection").0);
            accepted.map(|stream| serve(stream, config.clone(), &body)).collect()
        });
        SecureServer { url: format!("https://localhost:{port}"), certificate: own.cert.pem(), serving }
    }

    /// What it was asked, once all of it was asked. A connection on which nothing came is an empty text.
    pub fn requests(self) -> Vec<String> {
        self.serving.join().expect("the server")
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, body: &str) -> String {
    stream.set_nodelay(true).expect("a socket option");
    let mut stream = StreamOwned::new(ServerConnection::new(config).expect("a connection"), stream);
    let mut request = Vec::new();
    let mut part = [0; 4096];
    // Its body is one JSON object, the last thing in it.
    while !request.ends_with(b"}") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(read) => request.extend(&part[..read]),
        }
    }
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    // A caller that trusts nobody has gone by now.
    let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
    String::from_utf8_lossy(&request).into_owned()
}
