//! A CloudFormation stack in the local account.

use std::{path::Path, time::Duration};

use aws_sdk_cloudformation::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    types::{Capability, Parameter, StackStatus},
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
        self.upstream().root(Method::PUT, ("s3", self.region()), &format!("/{BUCKET}"), &[], "").await?;
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

        let failed =
            |status: String, events: String| SandboxError::Deploy { stack: stack.name.to_owned(), status, events };
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
                return Err(failed("CreateStack".to_owned(), DisplayErrorContext(error).to_string()));
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
                    return Err(failed("UpdateStack".to_owned(), DisplayErrorContext(error).to_string()));
                }
            }
        }
        loop {
            let described = client.describe_stacks().stack_name(stack.name).send().await;
            let described = described
                .map_err(|error| failed("DescribeStacks".to_owned(), DisplayErrorContext(error).to_string()))?;
            let found = described.stacks().first();
            match found.and_then(|found| found.stack_status()) {
                Some(StackStatus::CreateComplete | StackStatus::UpdateComplete) => {
                    let outputs = found.map(|found| found.outputs()).unwrap_or_default();
                    let pair = |text: Option<&str>| text.unwrap_or_default().to_owned();
                    return Ok(outputs.iter().map(|out| (pair(out.output_key()), pair(out.output_value()))).collect());
                }
                Some(status) if !status.as_str().ends_with("_IN_PROGRESS") => {
                    let events = failures(&client, stack.name).await;
                    return Err(failed(status.as_str().to_owned(), events));
                }
                Some(_) | None => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
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
