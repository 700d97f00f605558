//! What an administrator does with a function's concurrency.

use crate::{Account, arn};
use aws_sdk_lambda::types::RecursiveLoop;
use warden_engine::model::tags::GuardKind;

impl Account {
    /// Makes a function with a cap and so much reserved concurrency, or none, and waits until Warden knows of it. It is
    /// opted in last, so that what is reserved then is what its owner wants.
    pub async fn capped(&self, name: &str, cap: &str, reserved: Option<i32>) {
        self.function(name, &[]).await;
        self.reserve(name, reserved).await;
        self.tag(name, &[("warden", "enforce"), ("warden:max-concurrency", cap)]).await;
        self.settle().await;
    }

    /// Reserves concurrency for a function, or nothing.
    pub async fn reserve(&self, name: &str, reserved: Option<i32>) {
        match reserved {
            Some(reserved) => {
                let put = self.lambda.put_function_concurrency().function_name(name);
                put.reserved_concurrent_executions(reserved).send().await.map(drop).expect("reserved");
            }
            None => {
                let delete = self.lambda.delete_function_concurrency().function_name(name);
                delete.send().await.map(drop).expect("not reserved");
            }
        }
    }

    /// What a function reserves.
    pub async fn reserved(&self, name: &str) -> Option<i32> {
        let answer = self.lambda.get_function_concurrency().function_name(name).send().await.expect("the function");
        answer.reserved_concurrent_executions
    }

    /// Sets what becomes of a function's recursive loops.
    pub async fn set_recursion(&self, name: &str, setting: RecursiveLoop) {
        let put = self.lambda.put_function_recursion_config().function_name(name);
        put.recursive_loop(setting).send().await.expect("set");
    }

    /// What becomes of a function's recursive loops.
    pub async fn recursion(&self, name: &str) -> Option<RecursiveLoop> {
        let answer = self.lambda.get_function_recursion_config().function_name(name).send().await;
        answer.expect("the function").recursive_loop
    }

    /// concurrency-guard's records of a function.
    pub async fn concurrency_story(&self, name: &str) -> Vec<String> {
        self.story_by(GuardKind::Concurrency, &arn(name)).await
    }
}
