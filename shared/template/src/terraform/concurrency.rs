//! How much of a function may run at once, and whether its recursive loops are ended.

use super::{Plan, Resource};
use crate::{
    concurrency::{Amount, CAP_TAG},
    deployment::Deployment,
};
use serde_json::Value;

impl<'p> Plan<'_, 'p> {
    /// What is reserved and provisioned for functions, and what becomes of their recursive loops.
    pub(super) fn concurrency(&self, deployment: &mut Deployment) {
        for resource in self.of_kind("aws_lambda_function") {
            let tags = ["tags_all", "tags"].into_iter().filter_map(|key| resource.values.get(key)?.get(CAP_TAG));
            let is_tag_later = ["tags_all", "tags"].iter().any(|key| resource.is_unknown_at(&[key, CAP_TAG]));
            let cap = tags.filter_map(Value::as_str).next().map(Amount::of).unwrap_or_default();
            let function = deployment.concurrency.entry(resource.address.to_owned()).or_default();
            function.at = format!("{}.reserved_concurrent_executions", resource.address);
            function.cap = if is_tag_later { Amount::Later } else { cap };
            // -1 is none: the provider's default.
            function.reserved = amount(resource, "reserved_concurrent_executions");
            function.on_managed_instances = !resource.blocks("capacity_provider_config").is_empty();
        }
        for resource in self.of_kind("aws_lambda_function_recursion_config") {
            let at = format!("{}.recursive_loop", resource.address);
            let setting = resource.text_or_unknown("recursive_loop");
            let function = deployment.concurrency.entry(self.function(resource)).or_default();
            function.recursive_loop = setting.map(|setting| (at, setting));
        }
        for resource in self.of_kind("aws_lambda_provisioned_concurrency_config") {
            let amount = amount(resource, "provisioned_concurrent_executions");
            let function = deployment.concurrency.entry(self.function(resource)).or_default();
            function.provisioned.push((resource.address.to_owned(), amount));
        }
    }

    /// The function that a resource is about.
    fn function(&self, resource: &Resource<'p>) -> String {
        self.door(resource).0
    }
}

fn amount(resource: &Resource<'_>, key: &str) -> Amount {
    let number = resource.values.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    match number {
        Some(number) => Amount::Known(number),
        None if resource.is_unknown(key) => Amount::Later,
        None => Amount::None,
    }
}
