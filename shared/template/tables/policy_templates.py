"""Writes the policy templates of AWS SAM, one a line: the name, the names of its parameters, its statements."""

import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "aws-sam-translator==1.115.0"
SOURCE = "samtranslator/policy_templates_data/policy_templates.json"
TARGET = pathlib.Path(__file__).parent / "../src/cloudformation/policy_templates.json"

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE], check=True)
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    templates = json.loads(zipfile.ZipFile(wheel).read(SOURCE))["Templates"]

lines = [
    f"{json.dumps(name)}:"
    + json.dumps([sorted(template["Parameters"]), template["Definition"]["Statement"]], separators=(",", ":"))
    for name, template in sorted(templates.items())
]
TARGET.write_text("{" + ",\n".join(lines) + "}\n")
print(len(lines), "policy templates")
