"""Versions of secrets as Secrets Manager keeps them (API reference, CreateSecret and PutSecretValue)."""

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager

LABELS = 20
MANAGED = ("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING")


def apply():
    """ClientRequestToken is the version's id: asked again, the same is done once and something else is refused. All of
    VersionStages are attached, moved from where they were, and a secret has no more than 20."""
    create, put = secretsmanager._create_secret, secretsmanager._put_secret_value

    def same(version, data):
        return all(version.get(field) == data.get(field) for field in ("SecretString", "SecretBinary"))

    def repeated(secret, token, data):
        version = secret["Versions"].get(token)
        if version is None:
            return None
        if not same(version, data):
            return error_response_json("ResourceExistsException", "You can't use ClientRequestToken "
                                       f"{token} because that value is already in use for a version of secret "
                                       f"{secret['ARN']}.", 400)
        return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token,
                              "VersionStages": list(version["Stages"])})

    def created(data):
        token, name = data.get("ClientRequestToken"), data.get("Name")
        known = secretsmanager._secrets.get(name)
        if known is not None and known.get("DeletedDate"):
            return error_response_json("InvalidRequestException", "You can't create this secret because a secret with "
                                       "this name is already scheduled for deletion.", 400)
        if known is not None and token in known["Versions"] and same(known["Versions"][token], data):
            return repeated(known, token, data)
        answer = create(data)
        if answer[0] != 200:
            return answer
        secret = secretsmanager._secrets[name]
        (made,) = secret["Versions"]
        if data.get("SecretString") is None and data.get("SecretBinary") is None:
            del secret["Versions"][made]
            return json_response({"ARN": secret["ARN"], "Name": name})
        if token:
            secret["Versions"][token] = secret["Versions"].pop(made)
        return json_response({"ARN": secret["ARN"], "Name": name, "VersionId": token or made})

    def stored(data):
        _, secret = secretsmanager._resolve(data.get("SecretId"))
        token = data.get("ClientRequestToken")
        if secret is not None and token:
            answer = repeated(secret, token, data)
            if answer is not None:
                return answer
        own = [stage for stage in data.get("VersionStages") or [] if stage not in MANAGED]
        if secret is not None and own:
            labels = {stage for version in secret["Versions"].values() for stage in version["Stages"]}
            if len(labels | set(own) | {"AWSCURRENT", "AWSPREVIOUS"}) > LABELS:
                return error_response_json("LimitExceededException", "The request failed because it would exceed one "
                                           "of the Secrets Manager quotas.", 400)
        answer = put(data)
        if answer[0] != 200 or not own:
            return answer
        made = token or next(vid for vid, version in secret["Versions"].items() if "AWSCURRENT" in version["Stages"])
        for stage in own:
            secretsmanager._remove_stage_everywhere(secret, stage, except_version_id=made)
            secretsmanager._add_stage(secret, made, stage)
        return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": made,
                              "VersionStages": list(secret["Versions"][made]["Stages"])})

    secretsmanager._create_secret, secretsmanager._put_secret_value = created, stored
