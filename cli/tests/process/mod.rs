//! `warden` as another program starts it: bytes in, bytes out.

use std::{
    io::Write,
    process::{Child, Command, Output, Stdio},
};

/// Starts it with pipes.
pub(crate) fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_warden"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

/// Gives it all of the input and waits for its end.
pub(crate) fn run(arguments: &[&str], input: impl Into<Vec<u8>>) -> Output {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.into();
    // A thread, because the answers would fill their pipe while the input is still being written.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all of the input was read");
    output
}
