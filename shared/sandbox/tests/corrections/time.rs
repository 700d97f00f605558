//! What takes time on AWS, and here looks and reads.

use aws_sdk_lambda::{primitives::Blob, types::LastUpdateStatus};
use serde_json::json;
use warden_sandbox::Setting;

use crate::{Account, allow, check, code, empty_zip};

impl Account {
    /// Status and revision of the function shop.
    async fn look(&self) -> (bool, String) {
        let found = self.lambda.get_function_configuration().function_name("shop").send().await.expect("the function");
        let settled = found.last_update_status == Some(LastUpdateStatus::Successful);
        (settled, found.revision_id.unwrap_or_default())
    }

    async fn describe(&self, text: &str) -> String {
        let update = self.lambda.update_function_configuration().function_name("shop").description(text);
        code(&update.send().await).to_owned()
    }
}

#[tokio::test]
async fn nothing_is_updated_or_published_while_an_update_is_under_way() {
    check(async |account| {
        account.sandbox.set(Setting::UpdateLooks(3)).await.expect("a setting");
        assert_eq!(account.describe("one").await, "");
        let by_code = account.lambda.update_function_code().function_name("shop").zip_file(Blob::new(empty_zip()));
        let refused = [
            account.describe("two").await,
            code(&by_code.send().await).to_owned(),
            code(&account.lambda.publish_version().function_name("shop").send().await).to_owned(),
        ];
        // The third look was the last.
        refused == ["ResourceConflictException"; 3] && account.describe("two").await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_update_ends_after_as_many_looks_as_it_is_set_to_and_with_another_revision() {
    check(async |account| {
        account.sandbox.set(Setting::UpdateLooks(3)).await.expect("a setting");
        assert_eq!(account.describe("one").await, "");
        let function = account.lambda.get_function().function_name("shop").send().await.expect("the function");
        let state = function.configuration.and_then(|found| found.state);
        let (first, second, third) = (account.look().await, account.look().await, account.look().await);
        state == Some(aws_sdk_lambda::types::State::Active)
            && (first.0, second.0, third.0) == (false, false, true)
            && first.1 == second.1
            && second.1 != third.1
    })
    .await;
}

#[tokio::test]
async fn a_function_that_was_just_made_takes_no_update() {
    check(async |account| {
        account.sandbox.set(Setting::UpdateLooks(1)).await.expect("a setting");
        account.create_function(&account.lambda, "new", "probe").await.expect("made");
        let publish = || account.lambda.publish_version().function_name("new").send();
        code(&publish().await) == "ResourceConflictException" && publish().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn reads_of_iam_lag_behind_its_writes() {
    check(async |account| {
        account.sandbox.set(Setting::IamLag(2)).await.expect("a setting");
        let iam = &account.iam;
        let policies = async || {
            let list = iam.list_role_policies().role_name("probe").send().await.expect("a list");
            list.policy_names.len()
        };
        let put = iam.put_role_policy().role_name("probe").policy_name("p").policy_document(allow("s3:GetObject"));
        put.send().await.expect("put");
        let (seen, in_all) = (policies().await, {
            let all = iam.get_account_authorization_details().send().await.expect("all of it");
            let role =
                all.role_detail_list.unwrap_or_default().into_iter().find(|role| role.role_name() == Some("probe"));
            role.expect("the role").role_policy_list.unwrap_or_default().len()
        });
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"}}]});
        let made = iam.create_role().role_name("new").assume_role_policy_document(trust.to_string());
        made.send().await.expect("made");
        let read = || iam.get_role().role_name("new").send();
        let missing = [code(&read().await).to_owned(), code(&read().await).to_owned()];
        // What is written stands on what is there, not on what is seen.
        iam.delete_role_policy().role_name("probe").policy_name("p").send().await.expect("deleted");
        (seen, in_all) == (0, 0) && missing == ["NoSuchEntity"; 2] && read().await.is_ok()
    })
    .await;
}
