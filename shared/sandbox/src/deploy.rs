//! A CloudFormation stack in the local account.

use std::{path::Path, time::Duration};

use aws_sdk_cloudformation::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    types::{Capability, Output, Parameter, StackStatus},
};
use futures::future;
use hyper::Method;

use warden_build::{package, package_layer};

use crate::{Sandbox, SandboxError, blocking};

/// The bucket that packages are put into.
const BUCKET: &str = "warden-sandbox-code";

/// What to deploy.
#[derive(Clone, Debug)]
pub struct Stack<'a> {
    /// The stack's name, such as `lambda-warden`.
    pub name: &'a str,
    /// The template's file.
    pub template: &'a Path,
    /// The template's parameters. Where the template has `CodeBucket` and `CodePrefix`, the sandbox gives them.
    pub parameters: &'a [(&'a str, &'a str)],
    /// The guards' binaries with the name of each: they are put at `<CodePrefix><name>.zip`.
    pub guards: &'a [(&'a str, &'a Path)],
    /// The start-up layer's binary: its package is put at `<CodePrefix>secret-env.zip`.
    pub layer: Option<&'a Path>,
}

impl Sandbox {
    /// Uploads the guards' packages and creates the stack, or updates it where it exists; returns its outputs.
    ///
    /// # Errors
    /// [`SandboxError::Deploy`] with the events of the resources that failed.
    pub async fn deploy(&self, stack: &Stack<'_>) -> Result<Vec<(String, String)>, SandboxError> {
        let template = std::fs::read_to_string(stack.template).map_err(SandboxError::io("reading", stack.template))?;
        // A bucket is in us-east-1 unless it says otherwise, and must say otherwise elsewhere (S3 API reference,
        // CreateBucket).
        let place = match self.region() {
            "us-east-1" => String::new(),
            region => format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            ),
        };
        self.upstream().root(Method::PUT, ("s3", self.region()), &format!("/{BUCKET}"), &[], place).await?;
        let guards = stack.guards.iter().map(async |(name, binary)| {
            let binary = binary.to_path_buf();
            self.upload(&format!("{name}.zip"), blocking(move || Ok(package(&binary)?)).await?).await
        });
        let layer = async {
            match stack.layer.map(Path::to_path_buf) {
                Some(binary) => {
                    self.upload("secret-env.zip", blocking(move || Ok(package_layer(&binary)?)).await?).await
                }
                None => Ok(()),
            }
        };
        future::try_join(future::try_join_all(guards), layer).await?;
        let client = Client::new(&self.config());
        let given = |name: &str| template.contains(&format!("\n  {name}:"));
        let own = [("CodeBucket", BUCKET), ("CodePrefix", "")].into_iter().filter(|(name, _)| given(name));
        let parameters: Vec<Parameter> = own
            .filter(|(name, _)| !stack.parameters.iter().any(|(other, _)| other == name))
            .chain(stack.parameters.iter().copied())
            .map(|(name, value)| Parameter::builder().parameter_key(name).parameter_value(value).build())
            .collect();

        let failed = |status: &str, detail: String| failed(stack.name, status, detail);
        // Inline templates may have 51,200 bytes; larger ones are read from a bucket.
        let (body, url) = if template.len() <= 51_200 {
            (Some(template), None)
        } else {
            self.upload("template.yaml", template.into_bytes()).await?;
            (None, Some(format!("{}/{BUCKET}/template.yaml", self.endpoint())))
        };
        let capability = Capability::CapabilityNamedIam;
        let created = client
            .create_stack()
            .stack_name(stack.name)
            .set_template_body(body.clone())
            .set_template_url(url.clone())
            .set_parameters(Some(parameters.clone()))
            .capabilities(capability.clone())
            .send()
            .await;
        if let Err(error) = created {
            if error.code() != Some("AlreadyExistsException") {
                return Err(failed("CreateStack", DisplayErrorContext(error).to_string()));
            }
            let updated = client
                .update_stack()
                .stack_name(stack.name)
                .set_template_body(body)
                .set_template_url(url)
                .set_parameters(Some(parameters))
                .capabilities(capability)
                .send()
                .await;
            match updated {
                Ok(_) => {}
                Err(error) if error.message().is_some_and(|text| text.contains("No updates")) => {}
                Err(error) => {
                    return Err(failed("UpdateStack", DisplayErrorContext(error).to_string()));
                }
            }
        }
        let (status, outputs) = ended(&client, stack.name, stack.name).await?;
        if !matches!(status, StackStatus::CreateComplete | StackStatus::UpdateComplete) {
            return Err(failed(status.as_str(), failures(&client, stack.name).await));
        }
        let pair = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(outputs.iter().map(|out| (pair(out.output_key()), pair(out.output_value()))).collect())
    }

    /// Deletes a stack and waits until it is gone. What its template retains stays.
    ///
    /// # Errors
    /// [`SandboxError::Deploy`] with the events of the resources that failed, or when there is no such stack.
    pub async fn delete_stack(&self, name: &str) -> Result<(), SandboxError> {
        let client = Client::new(&self.config());
        let described = client.describe_stacks().stack_name(name).send().await;
        let described =
            described.map_err(|error| failed(name, "DescribeStacks", DisplayErrorContext(error).to_string()))?;
        // A stack that is gone is found by its id alone.
        let id = described.stacks().first().and_then(|found| found.stack_id()).unwrap_or(name).to_owned();
        let deleted = client.delete_stack().stack_name(&id).send().await;
        deleted.map_err(|error| failed(name, "DeleteStack", DisplayErrorContext(error).to_string()))?;
        let (status, _) = ended(&client, name, &id).await?;
        if status != StackStatus::DeleteComplete {
            return Err(failed(name, status.as_str(), failures(&client, &id).await));
        }
        Ok(())
    }

    /// Puts an object into the sandbox's bucket, past the proxy: packages are large, and no business of the trail.
    async fn upload(&self, key: &str, body: Vec<u8>) -> Result<(), SandboxError> {
        let scope = ("s3", self.region());
        let upstream = self.upstream();
        let answer = upstream.root(Method::PUT, scope, &format!("/{BUCKET}/{key}"), &[], body).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(SandboxError::Account {
            what: format!("PutObject {key}"),
            detail: String::from_utf8_lossy(answer.body()).into_owned(),
        })
    }
}

fn failed(stack: &str, status: &str, events: String) -> SandboxError {
    SandboxError::Deploy { stack: stack.to_owned(), status: status.to_owned(), events }
}

/// Waits until a stack, by its name or id, is at rest: how it ended, and its outputs.
async fn ended(client: &Client, stack: &str, id: &str) -> Result<(StackStatus, Vec<Output>), SandboxError> {
    loop {
        let described = client.describe_stacks().stack_name(id).send().await;
        let described =
            described.map_err(|error| failed(stack, "DescribeStacks", DisplayErrorContext(error).to_string()))?;
        let found = described.stacks().first();
        if let Some(status) = found.and_then(|found| found.stack_status())
            && !status.as_str().ends_with("_IN_PROGRESS")
        {
            return Ok((status.clone(), found.map(|found| found.outputs().to_vec()).unwrap_or_default()));
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// The events of the resources that failed, oldest first.
async fn failures(client: &Client, stack: &str) -> String {
    let Ok(events) = client.describe_stack_events().stack_name(stack).send().await else {
        return "the stack's events could not be read".to_owned();
    };
    let mut lines: Vec<String> = events
        .stack_events()
        .iter()
        .filter(|event| event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED")))
        .map(|event| {
            let text = |text: Option<&str>| text.unwrap_or("?").to_owned();
            let what = text(event.logical_resource_id());
            format!("  {what} ({}): {}", text(event.resource_type()), text(event.resource_status_reason()))
        })
        .collect();
    lines.reverse();
    lines.join("\n")
}
