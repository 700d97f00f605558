//! The Lambda function `warden-role-guard`: CloudTrail events in, roles that can no more than they should out.

use role_guard::RoleGuard;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), warden_lambda::Error> {
    warden_lambda::serve(RoleGuard).await
}
