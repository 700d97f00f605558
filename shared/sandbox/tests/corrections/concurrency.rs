//! What Lambda refuses about concurrency, and what it changes beside it.

use crate::{Account, FUNCTION, check, code, empty_zip, on_managed_instances};
use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, Runtime},
};
use warden_sandbox::Setting;

const REFUSED: &str = "InvalidParameterValueException";

impl Account {
    /// Reserves concurrency for a function; says the error's code, which is empty where there was none.
    async fn reserve(&self, function: &str, reserved: i32) -> String {
        let put = self.lambda.put_function_concurrency().function_name(function);
        code(&put.reserved_concurrent_executions(reserved).send().await).to_owned()
    }

    async fn provision(&self, qualifier: &str, provisioned: i32) -> String {
        let put = self.lambda.put_provisioned_concurrency_config().function_name("shop").qualifier(qualifier);
        code(&put.provisioned_concurrent_executions(provisioned).send().await).to_owned()
    }

    async fn revision(&self) -> Option<String> {
        let answer = self.lambda.get_function_configuration().function_name("shop").send().await;
        answer.expect("the function").revision_id
    }
}

#[tokio::test]
async fn some_of_the_concurrency_stays_unreserved() {
    check(async |account| {
        let mut refused = Vec::new();
        for (floor, most) in [(None, 900), (Some(50), 950), (Some(10), 990)] {
            if let Some(floor) = floor {
                account.sandbox.set(Setting::UnreservedFloor(floor)).await.expect("a setting");
            }
            assert_eq!(account.reserve("shop", most).await, "", "what may be reserved");
            refused.push(account.reserve("shop", most + 1).await);
        }
        refused == [REFUSED; 3]
    })
    .await;
}

#[tokio::test]
async fn an_account_says_what_it_may_run_at_once_and_a_new_one_can_reserve_nothing() {
    check(async |account| {
        account.sandbox.set(Setting::AccountConcurrency(10)).await.expect("a setting");
        account.sandbox.set(Setting::UnreservedFloor(10)).await.expect("a setting");
        let said = account.lambda.get_account_settings().send().await.expect("the settings").account_limit;
        let said = said.expect("limits");
        let limits = (said.concurrent_executions, said.unreserved_concurrent_executions);
        account.reserve("shop", 1).await == REFUSED && limits == (10, Some(10))
    })
    .await;
}

#[tokio::test]
async fn versions_and_aliases_reserve_nothing() {
    check(async |account| account.reserve("shop:live", 5).await == REFUSED).await;
}

#[tokio::test]
async fn no_less_is_reserved_than_is_provisioned_and_no_more_provisioned_than_is_reserved() {
    check(async |account| {
        assert_eq!(account.provision("live", 6).await, "");
        let below = account.reserve("shop", 5).await;
        assert_eq!(account.reserve("shop", 6).await, "");
        [below, account.provision("live", 7).await, account.provision("$LATEST", 1).await] == [REFUSED; 3]
    })
    .await;
}

#[tokio::test]
async fn reserving_concurrency_moves_a_functions_revision() {
    check(async |account| {
        let before = account.revision().await;
        assert_eq!(account.reserve("shop", 5).await, "");
        let between = account.revision().await;
        account.lambda.delete_function_concurrency().function_name("shop").send().await.expect("deleted");
        before != between && between != account.revision().await
    })
    .await;
}

#[tokio::test]
async fn what_is_provisioned_is_listed() {
    check(async |account| {
        account.provision("live", 6).await;
        let listed = account.lambda.list_provisioned_concurrency_configs().function_name("shop").send().await;
        let Ok(listed) = listed else { return false };
        let configs = listed.provisioned_concurrency_configs();
        let found =
            configs.iter().map(|config| (config.function_arn(), config.requested_provisioned_concurrent_executions));
        let live = format!("{FUNCTION}:live");
        found.collect::<Vec<_>>() == [(Some(live.as_str()), Some(6))]
    })
    .await;
}

#[tokio::test]
async fn functions_on_managed_instances_reserve_nothing() {
    check(async |account| {
        let code = FunctionCode::builder().zip_file(Blob::new(empty_zip())).build();
        let create = account.lambda.create_function().function_name("fleet").runtime(Runtime::Python313);
        let create = create.handler("app.handler").role("arn:aws:iam::111122223333:role/probe").code(code);
        create.capacity_provider_config(on_managed_instances()).send().await.expect("the function fleet");
        account.reserve("fleet", 5).await == REFUSED
    })
    .await;
}
