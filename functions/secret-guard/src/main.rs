//! The Lambda function `warden-secret-guard`: CloudTrail events in, plaintext secrets out of environments.

use secret_guard::SecretGuard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), warden_lambda::Error> {
    warden_lambda::serve(SecretGuard).await
}
