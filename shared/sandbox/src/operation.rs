//! Which operation of which service a request is.

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

/// A request, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The service as in a signature's scope: `lambda`, `iam`, `events`.
    pub(crate) service: String,
    /// The Region as in a signature's scope.
    pub(crate) region: String,
    /// The access key that signed.
    pub(crate) access_key: Option<String>,
    /// The operation as the API names it; empty where it could not be told.
    pub(crate) name: String,
    /// What CloudTrail appends to the name, such as `20150331v2`.
    pub(crate) suffix: &'static str,
    /// What the path carries: names as CloudTrail spells them, and values.
    pub(crate) path: Vec<(&'static str, String)>,
}

impl Operation {
    /// Names a request by its head and body.
    pub(crate) fn of(head: &Parts, body: &[u8]) -> Self {
        let (access_key, region, service) = scope(head);
        let mut operation = Self { service, region, access_key, name: String::new(), suffix: "", path: Vec::new() };
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(target) = header("x-amz-target") {
            operation.name = target.rsplit('.').next().unwrap_or_default().to_owned();
        } else if header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            operation.name =
                form(body).into_iter().find(|(name, _)| name == "Action").map(|(_, v)| v).unwrap_or_default();
        } else if operation.service == "lambda" {
            operation.route(head);
        } else if let Some((_, name)) = head.uri.path().rsplit_once("/operation/") {
            operation.name = name.to_owned();
        } else if operation.service == "s3" {
            operation.name = s3(head).to_owned();
        }
        operation
    }

    fn route(&mut self, head: &Parts) {
        let segments: Vec<String> = head
            .uri
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .skip(1)
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let lists = form(head.uri.query().unwrap_or_default().as_bytes()).iter().any(|(name, _)| name == "List");
        for Route(method, pattern, name, suffix) in LAMBDA {
            if head.method.as_str() == *method
                && let Some(path) = matched(pattern, &segments)
            {
                // One path for both: `?List=ALL` tells them apart.
                let all = lists && *name == "GetProvisionedConcurrencyConfig";
                self.name = if all { "ListProvisionedConcurrencyConfigs" } else { name }.to_owned();
                self.suffix = suffix;
                self.path = path;
                return;
            }
        }
    }

    /// Whether it reads or moves data rather than changing what is set up. CloudTrail's management write events, by
    /// the names of the operations.
    pub(crate) fn is_management_write(&self) -> bool {
        const READ: [&str; 9] = ["Get", "List", "Describe", "Test", "Simulate", "Generate", "Batch", "Head", "Lookup"];
        const DATA: [&str; 5] = ["", "Invoke", "InvokeAsync", "InvokeWithResponseStream", "PutEvents"];
        !READ.iter().any(|verb| self.name.starts_with(verb)) && !DATA.contains(&self.name.as_str())
    }
}

/// Access key, Region and service of the signature, in the header or the query; empty where there is none.
fn scope(head: &Parts) -> (Option<String>, String, String) {
    let header = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let credential = header
        .and_then(|text| text.split_once("Credential="))
        .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default().to_owned())
        .or_else(|| {
            let query = form(head.uri.query().unwrap_or_default().as_bytes());
            query.into_iter().find(|(name, _)| name == "X-Amz-Credential").map(|(_, value)| value)
        })
        .unwrap_or_default();
    let parts: Vec<&str> = credential.split('/').collect();
    match parts.as_slice() {
        [key, _date, region, service, "aws4_request"] => {
            (Some((*key).to_owned()), (*region).to_owned(), (*service).to_owned())
        }
        // The asymmetric signature names no Region.
        [key, _date, service, "aws4_request"] => (Some((*key).to_owned()), String::new(), (*service).to_owned()),
        _ => (None, String::new(), String::new()),
    }
}

/// The pairs of a form or a query string, decoded.
pub(crate) fn form(text: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(text);
    let decoded = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn s3(head: &Parts) -> &'static str {
    let object = head.uri.path().trim_matches('/').contains('/');
    match (head.method.as_str(), object) {
        ("PUT", true) => "PutObject",
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("DELETE", true) => "DeleteObject",
        ("PUT", false) => "CreateBucket",
        ("GET", false) => "ListObjects",
        ("HEAD", false) => "HeadBucket",
        ("DELETE", false) => "DeleteBucket",
        _ => "",
    }
}

/// The values that a path gives to a pattern's `{names}`; a last `{name+}` takes all that is left.
fn matched(pattern: &'static str, segments: &[String]) -> Option<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    let mut left = segments.iter();
    for part in pattern.split('/') {
        match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => {
                    let rest: Vec<&str> = left.by_ref().map(String::as_str).collect();
                    found.push((name, rest.join("/")));
                }
                None => found.push((name, left.next()?.clone())),
            },
            None => (left.next()? == part).then_some(())?,
        }
    }
    left.next().is_none().then_some(found)
}

/// Method, path after the API's date, operation, CloudTrail's suffix.
struct Route(&'static str, &'static str, &'static str, &'static str);

/// The Lambda API (paths: its API reference; suffixes: the names that CloudTrail shows, which keep the API date of
/// most, but not all, operations).
const LAMBDA: &[Route] = &[
    Route("GET", "functions", "ListFunctions", "20150331"),
    Route("POST", "functions", "CreateFunction", "20150331"),
    Route("GET", "functions/{functionName}", "GetFunction", "20150331v2"),
    Route("DELETE", "functions/{functionName}", "DeleteFunction", "20150331"),
    Route("PUT", "functions/{functionName}/code", "UpdateFunctionCode", "20150331v2"),
    Route("GET", "functions/{functionName}/configuration", "GetFunctionConfiguration", "20150331v2"),
    Route("PUT", "functions/{functionName}/configuration", "UpdateFunctionConfiguration", "20150331v2"),
    Route("POST", "functions/{functionName}/invocations", "Invoke", ""),
    Route("POST", "functions/{functionName}/invoke-async", "InvokeAsync", ""),
    Route("POST", "functions/{functionName}/response-streaming-invocations", "InvokeWithResponseStream", ""),
    Route("GET", "functions/{functionName}/policy", "GetPolicy", "20150331v2"),
    Route("POST", "functions/{functionName}/policy", "AddPermission", "20150331v2"),
    Route("DELETE", "functions/{functionName}/policy/{statementId}", "RemovePermission", "20150331v2"),
    Route("GET", "functions/{functionName}/versions", "ListVersionsByFunction", "20150331"),
    Route("POST", "functions/{functionName}/versions", "PublishVersion", "20150331"),
    Route("GET", "functions/{functionName}/aliases", "ListAliases", "20150331"),
    Route("POST", "functions/{functionName}/aliases", "CreateAlias", "20150331"),
    Route("GET", "functions/{functionName}/aliases/{name}", "GetAlias", "20150331"),
    Route("PUT", "functions/{functionName}/aliases/{name}", "UpdateAlias", "20150331"),
    Route("DELETE", "functions/{functionName}/aliases/{name}", "DeleteAlias", "20150331"),
    Route("GET", "functions/{functionName}/concurrency", "GetFunctionConcurrency", ""),
    Route("PUT", "functions/{functionName}/concurrency", "PutFunctionConcurrency", "20171031"),
    Route("DELETE", "functions/{functionName}/concurrency", "DeleteFunctionConcurrency", "20171031"),
    Route("GET", "functions/{functionName}/urls", "ListFunctionUrlConfigs", ""),
    Route("GET", "functions/{functionName}/url", "GetFunctionUrlConfig", ""),
    Route("POST", "functions/{functionName}/url", "CreateFunctionUrlConfig", ""),
    Route("PUT", "functions/{functionName}/url", "UpdateFunctionUrlConfig", ""),
    Route("DELETE", "functions/{functionName}/url", "DeleteFunctionUrlConfig", ""),
    Route("GET", "functions/{functionName}/event-invoke-config/list", "ListFunctionEventInvokeConfigs", ""),
    Route("GET", "functions/{functionName}/event-invoke-config", "GetFunctionEventInvokeConfig", ""),
    Route("PUT", "functions/{functionName}/event-invoke-config", "PutFunctionEventInvokeConfig", ""),
    Route("POST", "functions/{functionName}/event-invoke-config", "UpdateFunctionEventInvokeConfig", ""),
    Route("DELETE", "functions/{functionName}/event-invoke-config", "DeleteFunctionEventInvokeConfig", ""),
    Route("GET", "functions/{functionName}/code-signing-config", "GetFunctionCodeSigningConfig", ""),
    Route("PUT", "functions/{functionName}/code-signing-config", "PutFunctionCodeSigningConfig", ""),
    Route("DELETE", "functions/{functionName}/code-signing-config", "DeleteFunctionCodeSigningConfig", ""),
    Route("GET", "functions/{functionName}/runtime-management-config", "GetRuntimeManagementConfig", ""),
    Route("PUT", "functions/{functionName}/runtime-management-config", "PutRuntimeManagementConfig", ""),
    Route("GET", "functions/{functionName}/recursion-config", "GetFunctionRecursionConfig", ""),
    Route("PUT", "functions/{functionName}/recursion-config", "PutFunctionRecursionConfig", ""),
    Route("GET", "functions/{functionName}/function-scaling-config", "GetFunctionScalingConfig", ""),
    Route("PUT", "functions/{functionName}/function-scaling-config", "PutFunctionScalingConfig", ""),
    Route("GET", "functions/{functionName}/provisioned-concurrency", "GetProvisionedConcurrencyConfig", ""),
    Route("PUT", "functions/{functionName}/provisioned-concurrency", "PutProvisionedConcurrencyConfig", ""),
    Route("DELETE", "functions/{functionName}/provisioned-concurrency", "DeleteProvisionedConcurrencyConfig", ""),
    Route("GET", "tags/{resource+}", "ListTags", "20170331"),
    Route("POST", "tags/{resource+}", "TagResource", "20170331v2"),
    Route("DELETE", "tags/{resource+}", "UntagResource", "20170331v2"),
    Route("GET", "resource-policy/{resourceArn+}", "GetResourcePolicy", ""),
    Route("PUT", "resource-policy/{resourceArn+}", "PutResourcePolicy", ""),
    Route("DELETE", "resource-policy/{resourceArn+}", "DeleteResourcePolicy", ""),
    Route("GET", "event-source-mappings", "ListEventSourceMappings", "20150331"),
    Route("POST", "event-source-mappings", "CreateEventSourceMapping", "20150331"),
    Route("GET", "event-source-mappings/{uUID}", "GetEventSourceMapping", "20150331"),
    Route("PUT", "event-source-mappings/{uUID}", "UpdateEventSourceMapping", "20150331"),
    Route("DELETE", "event-source-mappings/{uUID}", "DeleteEventSourceMapping", "20150331"),
    Route("GET", "layers", "ListLayers", "20181031"),
    Route("GET", "layers/{layerName}/versions", "ListLayerVersions", "20181031"),
    Route("POST", "layers/{layerName}/versions", "PublishLayerVersion", "20181031"),
    Route("GET", "layers/{layerName}/versions/{versionNumber}", "GetLayerVersion", "20181031"),
    Route("DELETE", "layers/{layerName}/versions/{versionNumber}", "DeleteLayerVersion", "20181031"),
    Route("GET", "layers/{layerName}/versions/{versionNumber}/policy", "GetLayerVersionPolicy", "20181031"),
    // Seen with and without the date; the rules and the guards must take both.
    Route("POST", "layers/{layerName}/versions/{versionNumber}/policy", "AddLayerVersionPermission", "20181031"),
    Route(
        "DELETE",
        "layers/{layerName}/versions/{versionNumber}/policy/{statementId}",
        "RemoveLayerVersionPermission",
        "20181031",
    ),
    Route("GET", "account-settings", "GetAccountSettings", "20160819"),
];

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[track_caller]
    fn check(method: &str, uri: &str, (name, suffix): (&str, &str), path: &[(&str, &str)]) {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA1/20261121/eu-west-1/lambda/aws4_request, Signature=0",
            )
            .body(())
            .map(Request::into_parts);
        let operation = request.map(|(head, ())| Operation::of(&head, b""));
        let operation = operation.unwrap_or_else(|error| panic!("{uri}: {error}"));
        let found: Vec<(&str, &str)> = operation.path.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!((operation.name.as_str(), operation.suffix, found.as_slice()), (name, suffix, path));
        assert_eq!((operation.region.as_str(), operation.access_key.as_deref()), ("eu-west-1", Some("AKIA1")));
    }

    #[test]
    fn lambda_paths() {
        check(
            "PUT",
            "/2015-03-31/functions/f/configuration",
            ("UpdateFunctionConfiguration", "20150331v2"),
            &[("functionName", "f")],
        );
        check(
            "DELETE",
            "/2015-03-31/functions/f/policy/s%2Fid",
            ("RemovePermission", "20150331v2"),
            &[("functionName", "f"), ("statementId", "s/id")],
        );
        let arn = "arn:aws:lambda:eu-west-1:1:function:f";
        check(
            "PUT",
            "/2026-07-09/resource-policy/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af",
            ("PutResourcePolicy", ""),
            &[("resourceArn", arn)],
        );
        check(
            "GET",
            "/2021-10-31/functions/f/urls?MaxItems=5",
            ("ListFunctionUrlConfigs", ""),
            &[("functionName", "f")],
        );
        check(
            "POST",
            "/2018-10-31/layers/l/versions/3/policy",
            ("AddLayerVersionPermission", "20181031"),
            &[("layerName", "l"), ("versionNumber", "3")],
        );
        let provisioned = "/2019-09-30/functions/f/provisioned-concurrency";
        let named = [("functionName", "f")];
        check("GET", &format!("{provisioned}?List=ALL"), ("ListProvisionedConcurrencyConfigs", ""), &named);
        check("GET", &format!("{provisioned}?Qualifier=live"), ("GetProvisionedConcurrencyConfig", ""), &named);
        check("GET", "/2015-03-31/functions/", ("ListFunctions", "20150331"), &[]);
        check("GET", "/2015-03-31/nothing", ("", ""), &[]);
    }
}
