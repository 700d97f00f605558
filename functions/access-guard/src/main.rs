//! The Lambda function `warden-access-guard`: CloudTrail events in, public access out.

use access_guard::AccessGuard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), warden_lambda::Error> {
    warden_lambda::serve(AccessGuard).await
}
