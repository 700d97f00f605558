//! Reading concurrency: what a function reserves and what is provisioned for it, what the account has, and whether
//! recursive loops are ended.

use crate::{
    Aws,
    error::{classify, unless_said_again},
    lambda::none_if_gone,
};
use std::collections::BTreeMap;
use warden_engine::{
    call_error::CallError,
    guard::SurfaceSnapshot,
    model::concurrency::{AccountConcurrency, recursion, reserved},
    name::lambda::{FunctionArn, Qualifier},
};

/// AWS counts in numbers that are never negative.
fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

impl Aws {
    /// A function's reserved concurrency: none, 0 and more are three things. `None` where the function is gone.
    ///
    /// GetFunction says it too; what the caller has to be allowed for that is documented nowhere.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn reserved_concurrency(&self, function: &FunctionArn) -> Result<Option<SurfaceSnapshot>, CallError> {
        let target = function.to_string();
        match self.lambda(function.region()).get_function_concurrency().function_name(&target).send().await {
            Ok(answer) => {
                let content = reserved(answer.reserved_concurrent_executions.map(count));
                Ok(Some(SurfaceSnapshot { content, revision: None }))
            }
            Err(error) => none_if_gone(classify("GetFunctionConcurrency", &target, error)),
        }
    }

    /// Whether Lambda ends a function's recursive loops; `None` where the function is gone.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn recursion(&self, function: &FunctionArn) -> Result<Option<SurfaceSnapshot>, CallError> {
        let target = function.to_string();
        let call = self.lambda(function.region()).get_function_recursion_config().function_name(&target);
        let asked = async || {
            let answer = call.clone().send().await;
            answer.map_err(|error| classify("GetFunctionRecursionConfig", &target, error))
        };
        match unless_said_again(self, asked).await {
            Ok(answer) => {
                let content = recursion(answer.recursive_loop.as_ref().map(|setting| setting.as_str()));
                Ok(Some(SurfaceSnapshot { content, revision: None }))
            }
            Err(error) => none_if_gone(error),
        }
    }

    /// The provisioned concurrency that was asked for, for each version and alias that has some, in one call a page.
    ///
    /// # Errors
    /// The call that failed; a function that is gone has none.
    pub async fn all_provisioned_concurrency(
        &self,
        function: &FunctionArn,
    ) -> Result<BTreeMap<Qualifier, u32>, CallError> {
        let target = function.to_string();
        let call = self.lambda(function.region()).list_provisioned_concurrency_configs().function_name(&target);
        let mut pages = call.into_paginator().items().send();
        let mut found = BTreeMap::new();
        while let Some(config) = pages.next().await {
            let config = match config {
                Ok(config) => config,
                Err(error) => {
                    return none_if_gone(classify("ListProvisionedConcurrencyConfigs", &target, error))
                        .map(|found| found.unwrap_or_default());
                }
            };
            let named = config.function_arn.and_then(|arn| FunctionArn::resolve(&arn, &function.home()).ok());
            if let Some((_, Some(qualifier))) = named {
                found.insert(qualifier, config.requested_provisioned_concurrent_executions.map_or(0, count));
            }
        }
        Ok(found)
    }

    /// What the account has of concurrency in a Region; `None` where AWS does not say.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn account_concurrency(&self, region: &str) -> Result<Option<AccountConcurrency>, CallError> {
        let answer = self.lambda(region).get_account_settings().send().await;
        let answer = answer.map_err(|error| classify("GetAccountSettings", region, error))?;
        Ok(answer.account_limit.and_then(|limit| {
            let unreserved = count(limit.unreserved_concurrent_executions?);
            Some(AccountConcurrency { limit: count(limit.concurrent_executions), unreserved })
        }))
    }
}
