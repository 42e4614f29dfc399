"""The import paths that PyTriton's scripts use."""

from __future__ import annotations

import importlib
import pathlib
import site
import subprocess
import sys

import pytest

NAMES = {
    "pytriton.triton": "Triton TritonConfig TritonLifecyclePolicy DefaultTritonLifecyclePolicy "
    "VertextAILifecyclePolicy TritonSecurityConfig ModelClient Tensor ModelConfig Workspace "
    "TritonContext TritonUrl create_client_from_url wait_for_server_ready "
    "DEFAULT_PROTECTED_ENDPOINTS VALID_TRITON_ENDPOINTS TRITON_ACCESS_HEADER MONITORING_PERIOD_S "
    "INITIAL_BACKEND_SHM_SIZE GROWTH_BACKEND_SHM_SIZE TRITONSERVER_DIST_DIR secrets "
    "Model ModelEvent ModelManager TritonServer TritonServerConfig PythonBackendConfig",
    "pytriton.model_config": "DeviceKind DynamicBatcher QueuePolicy TimeoutAction ModelConfig "
    "Tensor",
    "pytriton.model_config.common": "ModelWarmup WarmupInput generate_warmup_data "
    "generate_warmup_requests",
    "pytriton.model_config.triton_model_config": "TritonModelConfig TensorSpec ResponseCache "
    "DeviceKind DynamicBatcher ModelWarmup",
    "pytriton.model_config.generator": "ModelConfigGenerator",
    "pytriton.model_config.parser": "ModelConfigParser",
    "pytriton.decorators": "batch sample group_by_keys group_by_values ConstantPadder "
    "fill_optionals pad_batch first_value triton_context TritonContext ModelConfigDict "
    "get_triton_context get_model_config get_inference_request_batch_size convert_output "
    "InputNames InferenceRequest InferenceRequests InferenceResult InferenceResults",
    "pytriton.proxy.types": "Request Requests Response Responses ResponsesOrError "
    "ResponsesNoneOrError Scope",
    "pytriton.proxy.telemetry": "set_telemetry_tracer get_telemetry_tracer parse_trace_config "
    "traced_span build_proxy_tracer_from_triton_config start_span_from_span get_span_dict",
    "pytriton.proxy.validators": "TritonResultsValidator _validate_outputs _validate_output_data "
    "_validate_output_dtype_and_shape",
    "pytriton.exceptions": "PyTritonError PyTritonValidationError PyTritonUnrecoverableError "
    "PyTritonInvalidOperationError PyTritonBadParameterError PyTritonModelConfigError "
    "PyTritonRuntimeError",
    "pytriton.constants": "DEFAULT_HTTP_PORT DEFAULT_GRPC_PORT DEFAULT_METRICS_PORT "
    "TRITON_LOCAL_IP PYTRITON_HOME DEFAULT_TRITON_STARTUP_TIMEOUT_S",
    "pytriton.client": "ModelClient DecoupledModelClient AsyncioModelClient "
    "AsyncioDecoupledModelClient FuturesModelClient",
    "pytriton.client.auth": "create_auth_headers",
    "pytriton.client.warnings": "NotSupportedTimeoutWarning",
    "pytriton.models.model": "_inject_triton_context TritonContext Model ModelEvent",
    "pytriton.models.manager": "ModelManager",
    "pytriton.server.triton_server": "TritonServer",
    "pytriton.utils.workspace": "Workspace CleanupWarning",
    "pytriton.utils.dataclasses": "kwonly_dataclass",
    "pytriton.utils.distribution": "get_root_module_path is_editable_install get_libs_path "
    "get_stub_path",
    "pytriton.utils.logging": "silence_3rd_party_loggers",
    "pytriton.check.utils": "find_free_port DEFAULT_LOG_FORMAT ScriptThread "
    "search_warning_on_too_verbose_log_level",
    "pytriton.testing": "serve",
}


@pytest.mark.parametrize("module", NAMES)
def test_names_are_where_scripts_look(module):
    found = importlib.import_module(module)
    missing = [name for name in NAMES[module].split() if not hasattr(found, name)]
    assert missing == []


def test_a_server_loads_no_client():
    script = "import sys, pytriton.triton; sys.exit('pytriton.client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_an_installation_is_told_from_a_checkout(monkeypatch):
    from pytriton.utils import distribution

    for folder, is_editable in (("/home/me", True), (site.getsitepackages()[0], False)):
        root = pathlib.Path(folder) / "pytriton"
        monkeypatch.setattr(distribution, "get_root_module_path", lambda root=root: root)
        assert distribution.is_editable_install() == is_editable
