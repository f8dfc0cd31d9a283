"""The shape of a deployment file: which keys there are, their defaults, and what each may hold.

The models are the border. They take a tree in the canonical layout and are done once it is known to be right;
inside, only the values of ``values`` are passed on. What a single value may be is said in ``kinds``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from gristmill.spec import kinds, rule_kinds
from gristmill.spec.sections import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    Section,
    ValidationInfo,
    field_validator,
    model_validator,
)
from gristmill.spec.stop_rules import FailureClass, StopRule
from gristmill.spec.tree import Mapping, Node, Scalar
from gristmill.spec.values import PROVENANCE, ConflictingTypes, ErrorThreshold, OutputAction, OutputFormat

Text = Annotated[str, PlainValidator(kinds.text)]
Texts = Annotated[dict[str, Text], BeforeValidator(kinds.entries)]
Count = Annotated[int, PlainValidator(kinds.whole_number(1))]
Seconds = Annotated[float, PlainValidator(kinds.seconds)]
Flag = Annotated[bool, PlainValidator(kinds.flag)]
Name = Annotated[str, PlainValidator(kinds.name)]
Action = Annotated[OutputAction, PlainValidator(kinds.choice(OutputAction))]
Format = Annotated[OutputFormat, PlainValidator(kinds.choice(OutputFormat))]
ModelType = Annotated[str, PlainValidator(kinds.word("custom_model", "mlflow_model", "triton_model"))]
Patterns = Annotated[tuple[str, ...], PlainValidator(kinds.patterns)]
Threshold = Annotated[ErrorThreshold, PlainValidator(kinds.error_threshold)]


class Retries(Section):
    """How often, and how long."""

    max_retries: Annotated[int, PlainValidator(kinds.whole_number(0))] = 3
    timeout: Seconds = 30.0


class SettingsSection(Section):
    """``settings:``."""

    mini_batch_size: Count = 10
    output_action: Action = OutputAction.APPEND_ROW
    output_file_name: Annotated[str, PlainValidator(kinds.file_name)] = "predictions.csv"
    retry_settings: Retries = Retries.model_construct()
    error_threshold: Threshold = ErrorThreshold(items=-1, fraction=None)
    logging_level: Annotated[str, PlainValidator(kinds.word("debug", "info", "warning"))] = "info"
    max_concurrency_per_instance: Count = 1
    instance_count: Count = 1
    environment_variables: Annotated[Texts, AfterValidator(kinds.variables)] = Field(default_factory=dict)

    @field_validator("output_file_name")
    @classmethod
    def _has_a_file(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("output_action") is OutputAction.SUMMARY_ONLY:
            raise kinds.wrong(
                f"goes with output_action append_row; with summary_only there is no such file (got {value!r})"
            )
        return value


class Model(Section):
    """``model:``, inline or as a bare path."""

    path: Annotated[Path, PlainValidator(kinds.model_path)]
    name: Text | None = None
    version: Text | None = None
    type: ModelType | None = None
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    stage: Text | None = None
    flavors: Any = None

    @classmethod
    def spelled_out(cls, node: Node) -> Node:
        return kinds.as_only_key("path", node)


class CodeConfiguration(Section):
    """``code_configuration:``."""

    code: Annotated[Path, PlainValidator(kinds.folder)]
    scoring_script: Text

    @field_validator("scoring_script")
    @classmethod
    def _is_in_code(cls, value: str, info: ValidationInfo) -> str:
        script = os.path.normpath(value) if value else "."
        if os.path.isabs(script) or script.split("/")[0] in (".", ".."):
            raise kinds.wrong(f"must be a path below the code folder (got {value!r})")
        code = info.data.get("code")
        if code is not None and not os.path.isfile(code / script):
            raise kinds.wrong(f"no such file in {code} (got {value!r}){kinds.neighbour(code / script)}")
        return script


class Build(Section):
    """``environment.build:``."""

    path: Text
    dockerfile_path: Text | None = None


class Environment(Section):
    """``environment:``, inline or as a reference."""

    name: Text | None = None
    version: Text | None = None
    image: Text | None = None
    conda_file: Any = None
    build: Build | None = None
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    os_type: Text | None = None
    inference_config: Any = None

    @classmethod
    def spelled_out(cls, node: Node) -> Node:
        return kinds.as_only_key("name", node)

    def words(self) -> str:
        """Say on one line what the file says of the environment."""
        parts = [f"{self.name}:{self.version}" if self.name and self.version else self.name]
        parts.append(self.image and f"image {self.image}")
        if isinstance(self.conda_file, Scalar):
            parts.append(f"conda file {self.conda_file.text}")
        elif self.conda_file is not None:
            parts.append("conda packages in the deployment")
        parts.append(f"built in {self.build.path}" if self.build else None)
        return " ".join(", ".join(part for part in parts if part).split()) or "without a name"


class Resources(Section):
    """``resources:``."""

    instance_count: Count = 1
    instance_type: Text | None = None
    properties: Any = None
    shm_size: Text | None = None
    docker_args: Any = None


class StopRuleSection(Section):
    """One rule of ``gristmill.stop_when``."""

    failures: Annotated[FailureClass, PlainValidator(kinds.choice(FailureClass))] | None = Field(
        default=None, alias="class"
    )
    count: Count | None = None
    fraction: Annotated[float, PlainValidator(rule_kinds.share)] | None = None
    window: Annotated[int, PlainValidator(rule_kinds.window)] | None = None
    minimum: Count | None = None

    @classmethod
    def spelled_out(cls, node: Node) -> Node:
        return rule_kinds.rule(node)

    @model_validator
    def _fits(self) -> StopRuleSection:
        rule_kinds.fitting(self.rule(), self.minimum)
        return self

    def rule(self) -> StopRule:
        """Return it as a value."""
        usual = min(rule_kinds.DEFAULT_MINIMUM, self.window or rule_kinds.DEFAULT_MINIMUM)
        return StopRule(
            failures=self.failures,
            count=self.count,
            fraction=self.fraction,
            window=self.window,
            minimum=self.minimum or usual,
        )


class MlflowSection(Section):
    """``gristmill.mlflow:``, for MLflow models without a script."""

    chunk_rows: Count | None = None
    skinny: Flag = False


class Extensions(Section):
    """``gristmill:``, what the original does not have."""

    workers: Annotated[int | Literal["auto"], PlainValidator(kinds.workers)] | None = None
    output_format: Format = OutputFormat.AZURE
    init_timeout: Seconds = 600.0
    keep_warm_s: Annotated[float, PlainValidator(kinds.seconds_or_none)] = 0.0
    program_arguments: Annotated[str, PlainValidator(kinds.arguments)] = ""
    recursive: Flag = True
    include_hidden: Flag = False
    include: Patterns = ()
    exclude: Patterns = ()
    input_list: Annotated[Path, PlainValidator(kinds.input_list)] | None = None
    shared_header: Flag = False
    provenance: Annotated[tuple[str, ...], PlainValidator(kinds.several(*PROVENANCE))] = ()
    conflicting_types: Annotated[ConflictingTypes, PlainValidator(kinds.choice(ConflictingTypes))] = (
        ConflictingTypes.ERROR
    )
    gpus_per_worker: Annotated[float, PlainValidator(kinds.gpus)] | None = None
    largest_first: Annotated[bool | Literal["auto"], PlainValidator(kinds.flag_or_auto)] = "auto"
    mini_batch_bytes: Annotated[int, PlainValidator(kinds.size_of_a_mini_batch)] | None = None
    split_rows: Count | None = None
    split_bytes: Annotated[int, PlainValidator(kinds.size_of_a_mini_batch)] | None = None
    split_header: Flag = True
    memory_per_worker: Annotated[int, PlainValidator(kinds.memory_of_a_worker)] | None = None
    limit: Count | None = None
    isolate_failures: Flag | None = None
    error_threshold: Threshold | None = None
    stop_when: Annotated[tuple[StopRuleSection, ...], BeforeValidator(rule_kinds.rules)] = ()
    canary: Count | None = None
    python: Annotated[Path, PlainValidator(kinds.interpreter)] | None = None
    use_current_python: Flag = False
    strict_python: Flag = False
    keep_azureml_packages: Flag | None = None
    offline: Flag = False
    mlflow: MlflowSection = MlflowSection.model_construct()

    @field_validator("use_current_python")
    @classmethod
    def _one_python(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("python") is not None:
            raise kinds.wrong("says to use the current Python, and 'python' names another; keep one of them")
        return value

    @field_validator("split_bytes")
    @classmethod
    def _one_split(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("split_rows") is not None:
            raise kinds.wrong("splits files by bytes, and 'split_rows' splits them by rows; keep one of them")
        return value


class SettingsOnly(Section):
    """Settings without a deployment: what is said of them when a job goes on."""

    gristmill: Extensions = Extensions.model_construct()
    properties: Texts = Field(default_factory=dict)
    tags: Texts = Field(default_factory=dict)
    settings: SettingsSection = SettingsSection.model_construct()


class DeploymentFile(Section):
    """The whole file, in the canonical layout."""

    gristmill: Extensions = Extensions.model_construct()
    name: Name | None = None
    endpoint_name: Name | None = None
    type: Annotated[str, PlainValidator(kinds.word("model", "pipeline"))] = "model"
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    model: Model | None = None
    code_configuration: CodeConfiguration
    environment: Environment | None = None
    compute: Text = "local"
    resources: Resources = Resources.model_construct()
    settings: SettingsSection = SettingsSection.model_construct()


def model_type(path: Path, said: str | None) -> str:
    """Give the type of a model: the one that its file says, else what its folder looks like."""
    detected = "mlflow_model" if os.path.isfile(path / "MLmodel") else "custom_model"
    return said or detected


def is_pipeline(root: Mapping) -> bool:
    """Say whether the document asks for a pipeline of components."""
    kind = root.entries.get("type")
    return kind is not None and isinstance(kind.node, Scalar) and kind.node.text.lower() == "pipeline"
