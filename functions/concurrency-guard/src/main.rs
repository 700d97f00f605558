//! The Lambda function `warden-concurrency-guard`: CloudTrail events in, concurrency back at its cap.

use concurrency_guard::ConcurrencyGuard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), warden_lambda::Error> {
    warden_lambda::serve(ConcurrencyGuard).await
}
