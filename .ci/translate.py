"""Prints the CloudFormation template that SAM makes of template.yaml: some mistakes show only there."""

import json
import os
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template names no managed policy of its own; SAM asks for those that it adds."""

    def load(self):
        prefix = "arn:aws:iam::aws:policy/"
        names = ["AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess"]
        return {name: prefix + name for name in names}


def main():
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml_parse(file.read())
    # SAM packages local folders before it translates
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "packages", "Key": "function.zip"}
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = {"Bucket": "packages", "Key": "layer.zip"}
    template["Globals"]["Function"].pop("CodeUri", None)
    print(json.dumps(transform(template, {}, NoManagedPolicies()), indent=2))


if __name__ == "__main__":
    main()
