//! Functions with environments: how a deployment sets them, and what is left of them.

use crate::{Account, arn, role_arn};
use aws_sdk_lambda::{
    operation::update_function_configuration::builders::UpdateFunctionConfigurationFluentBuilder,
    primitives::Blob,
    types::{Environment, FunctionCode, Runtime},
};
use serde_json::json;
use std::collections::BTreeMap;
use warden_engine::{
    model::tags::GuardKind,
    secret_ref::{Reference, WRAPPER, WRAPPER_VARIABLE},
};
use warden_sandbox::{ACCOUNT, Reply};

/// Names and values.
pub type Variables = BTreeMap<String, String>;

/// Variables from pairs.
pub fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A function that tells what it sees.
const CODE: &str = "
import os
def handler(event, context):
    return {name: os.environ.get(name) for name in event['names']}
";

fn sent(variables: &Variables) -> Environment {
    let variables = variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Environment::builder().set_variables(Some(variables)).build()
}

impl Account {
    /// Makes a Python function with this environment, and waits until Lambda is done with it. Its event may be on its
    /// way.
    pub async fn python(&self, name: &str, tags: &[(&str, &str)], environment: &Variables) {
        let code = warden_sandbox::package_text("app.py", CODE).expect("a package");
        let code = FunctionCode::builder().zip_file(Blob::new(code)).build();
        let create = self.lambda.create_function().function_name(name).runtime(Runtime::Python313);
        let create = create.handler("app.handler").code(code).role(format!("arn:aws:iam::{ACCOUNT}:role/shop"));
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        create.set_tags(Some(tags)).environment(sent(environment)).send().await.expect("the function");
        self.ready(name).await;
    }

    /// A Python function under secret-guard that holds no secret yet. Warden knows of it.
    pub async fn guarded_python(&self, name: &str) {
        self.python(name, &[("warden:secrets", "enforce")], &variables(&[("STAGE", "test")])).await;
        self.settle().await;
    }

    /// Deploys another environment, and waits until every guard is done with it.
    pub async fn deploy_and_settle(&self, name: &str, environment: &Variables) {
        self.deploy_environment(name, environment).await;
        self.settle().await;
    }

    /// Sets the guard of secrets to log as much as it can.
    pub async fn make_the_guard_talk(&self) {
        let guard = "warden-secret-guard";
        let mut variables = self.environment(guard).await;
        variables.insert("AWS_LAMBDA_LOG_LEVEL".into(), "TRACE".into());
        variables.insert("RUST_LOG".into(), "trace".into());
        let update = self.lambda.update_function_configuration().function_name(guard).environment(sent(&variables));
        update.send().await.expect("updated");
        self.ready(guard).await;
    }

    /// Waits until no update of a function is under way.
    pub async fn ready(&self, name: &str) {
        let region = self.lambda.config().region().expect("a Region").as_ref();
        self.sandbox.ready_in(region, name).await.expect("it is there");
    }

    /// Deploys another environment as a pipeline does, whole. Guards hear of it when Lambda is done.
    pub async fn deploy_environment(&self, name: &str, environment: &Variables) {
        self.update(name, |update| update.environment(sent(environment))).await;
    }

    /// Gives a function another role. Guards hear of it when Lambda is done.
    pub async fn swap_role(&self, name: &str, role: &str) {
        self.update(name, |update| update.role(role_arn(role))).await;
    }

    async fn update(
        &self,
        name: &str,
        change: impl FnOnce(UpdateFunctionConfigurationFluentBuilder) -> UpdateFunctionConfigurationFluentBuilder,
    ) {
        self.sandbox.trail().faults().hold_deliveries();
        let update = self.lambda.update_function_configuration().function_name(name);
        change(update).send().await.expect("updated");
        self.ready(name).await;
        self.sandbox.trail().release(warden_sandbox::Order::Happened);
    }

    /// A function's variables as they are.
    pub async fn environment(&self, name: &str) -> Variables {
        let found = self.lambda.get_function_configuration().function_name(name).send().await.expect("it is there");
        let variables = found.environment.and_then(|environment| environment.variables).unwrap_or_default();
        variables.into_iter().collect()
    }

    /// A function's layers.
    pub async fn layers(&self, name: &str) -> Vec<String> {
        let found = self.lambda.get_function_configuration().function_name(name).send().await.expect("it is there");
        found.layers.unwrap_or_default().into_iter().filter_map(|layer| layer.arn).collect()
    }

    /// Makes a KMS key that roles, by path and name, may use for these actions, and whose other use is left to IAM;
    /// says its ARN.
    pub async fn customers_key(&self, users: &[&str], actions: &[&str]) -> String {
        let root = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}});
        let users: Vec<String> = users.iter().map(|role| role_arn(role)).collect();
        let use_it = json!({"Effect": "Allow", "Action": actions, "Resource": "*", "Principal": {"AWS": users}});
        let statements = if users.is_empty() { vec![root] } else { vec![root, use_it] };
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        let create = aws_sdk_kms::Client::new(&self.sandbox.config()).create_key().policy(policy.to_string());
        create.send().await.expect("a key").key_metadata.and_then(|key| key.arn).expect("its ARN")
    }

    /// Encrypts a function's environment, this one, with a customer's key.
    pub async fn encrypt(&self, name: &str, key: &str, environment: &Variables) {
        self.ready(name).await;
        let update = self.lambda.update_function_configuration().function_name(name).kms_key_arn(key);
        update.environment(sent(environment)).send().await.expect("updated");
        self.ready(name).await;
    }

    /// The layer that stripped functions start with.
    pub fn secret_layer(&self) -> String {
        self.outputs["SecretEnvLayer"].clone()
    }

    /// The name of the secret that a variable refers to.
    pub async fn referred(&self, name: &str, variable: &str) -> Option<String> {
        let reference: Reference = self.environment(name).await.get(variable)?.parse().ok()?;
        Some(reference.0.to_string())
    }

    /// What a secret holds now.
    pub async fn secret(&self, secret: &str) -> Variables {
        let found = self.secrets.get_secret_value().secret_id(secret).send().await.expect("the secret");
        serde_json::from_str(found.secret_string().expect("text")).expect("a JSON object")
    }

    /// The environment as a function that starts now sees it, by the contract of the layer: every reference resolved.
    pub async fn seen_by_code(&self, name: &str) -> Variables {
        let mut seen = self.environment(name).await;
        for (variable, value) in &mut seen {
            if let Ok(Reference(secret)) = value.parse::<Reference>() {
                *value = self.secret(secret.as_str()).await.remove(variable).expect("the secret holds the variable");
            }
        }
        if seen.get(WRAPPER_VARIABLE).is_some_and(|path| path == WRAPPER) {
            assert!(self.layers(name).await.contains(&self.secret_layer()), "a wrapper without its layer");
            seen.remove(WRAPPER_VARIABLE);
        }
        seen
    }

    /// secret-guard's records of a function.
    pub async fn secret_story(&self, name: &str) -> Vec<String> {
        self.story_by(GuardKind::Secrets, &arn(name)).await
    }

    /// The same, told by the function itself: it is started as Lambda starts it, with AWS's runtime client, and asked.
    pub async fn told_by_code(&self, name: &str, variables: &Variables) -> Variables {
        let mut function = self.sandbox.start_function(name, None).await.expect("it starts");
        let names: Vec<&String> = variables.keys().collect();
        match function.invoke(&json!({ "names": names })).await.expect("a reply") {
            Reply::Returned(seen) => serde_json::from_value(seen).expect("a value for each"),
            Reply::Failed(error) => panic!("{error}"),
        }
    }
}
