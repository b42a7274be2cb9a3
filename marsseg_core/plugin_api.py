"""The names that a plugin may import from marsseg. The built-in plugins import from this module alone.

Each name is loaded at its first use. So importing this module imports neither Keras nor NumPy; only `WeightingLayer`
needs Keras. `docs/reference/plugin_api.md` describes each name. The contracts that a plugin's tests inherit are in
`marsseg_core.testing`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .components.exports import INPUT_NAME as INPUT_NAME, METADATA_NAME as METADATA_NAME, ExportSpec as ExportSpec
    from .components.finished_runs import UsesRuns as UsesRuns
    from .components.interfaces import (
        Architecture as Architecture,
        Augmentation as Augmentation,
        Bottleneck as Bottleneck,
        Component as Component,
        Dataset as Dataset,
        Encoder as Encoder,
        Executor as Executor,
        Exporter as Exporter,
        Loss as Loss,
        Method as Method,
        Metric as Metric,
        NetworkSpec as NetworkSpec,
        Optimizer as Optimizer,
        Schedule as Schedule,
        Weighting as Weighting,
    )
    from .components.semi_layer import SemiLayer as SemiLayer, Student as Student, ViewTensors as ViewTensors
    from .components.semi_specs import LabellingSpec as LabellingSpec, SemiSpec as SemiSpec, Views as Views
    from .components.specs import (
        BottleneckSpec as BottleneckSpec,
        EncoderSpec as EncoderSpec,
        LossSpec as LossSpec,
        MetricSpec as MetricSpec,
        OptimizerSpec as OptimizerSpec,
        ScheduleSpec as ScheduleSpec,
        WeightingSpec as WeightingSpec,
    )
    from .components.tasks import (
        ExecutorSpec as ExecutorSpec,
        Task as Task,
        TaskResult as TaskResult,
        Workers as Workers,
    )
    from .components.weighting_layer import WeightingLayer as WeightingLayer
    from .conventions import (
        HEADLINE as HEADLINE,
        VOID as VOID,
        LossFunction as LossFunction,
        TargetFunction as TargetFunction,
        Transform as Transform,
    )
    from .data.arrays import SegmentationData as SegmentationData, scale as scale
    from .data.cache import CacheSource as CacheSource, Writer as Writer
    from .data.cached import (
        GROUPS as GROUPS,
        IMAGES as IMAGES,
        MASKS as MASKS,
        SUBSET as SUBSET,
        append_names as append_names,
        cached_data as cached_data,
        cached_images as cached_images,
        cached_values as cached_values,
        note_classes as note_classes,
        note_scaling as note_scaling,
        note_warnings as note_warnings,
    )
    from .data.channels import to_colour as to_colour, to_grey as to_grey
    from .data.chunks import items_per_chunk as items_per_chunk
    from .data.conversion import Converter as Converter
    from .data.folder_facts import (
        FACT_FILE as FACT_FILE,
        FolderFacts as FolderFacts,
        read_folder_facts as read_folder_facts,
    )
    from .data.image_files import SUFFIXES as SUFFIXES, refuse_file as refuse_file
    from .data.image_reader import ImageReader as ImageReader
    from .data.images import (
        Colour as Colour,
        Palette as Palette,
        image_size as image_size,
        orientation_of as orientation_of,
        pixel_type as pixel_type,
        read_image as read_image,
        read_mask as read_mask,
    )
    from .data.item_file import ITEM_FILE as ITEM_FILE
    from .data.limits import ITEM_LIMIT as ITEM_LIMIT, PIXEL_LIMIT as PIXEL_LIMIT
    from .data.names import MAX_NAME as MAX_NAME, is_text as is_text, tile_name as tile_name
    from .data.opencv import by_channels as by_channels, opencv as opencv
    from .data.ranges import ImageChunk as ImageChunk, Range as Range, determine_scaling as determine_scaling
    from .data.raster import Raster as Raster
    from .data.scaling import Scaling as Scaling, numbers_of as numbers_of
    from .data.split import Split as Split
    from .data.statistics import balanced_weights as balanced_weights, rarest_items as rarest_items
    from .data.subsets import SUBSET_WORDS as SUBSET_WORDS, SUBSETS as SUBSETS
    from .data.tables import Table as Table, read_table as read_table
    from .data.warps import Fill as Fill, Warp as Warp
    from .errors import (
        MarssegError as MarssegError,
        PluginError as PluginError,
        RequestError as RequestError,
        RunError as RunError,
        counted as counted,
        nearest as nearest,
        some as some,
    )
    from .evaluation.confusion import confusion_matrix as confusion_matrix, decode as decode
    from .evaluation.evaluate import predicted_batches as predicted_batches
    from .evaluation.formulas import (
        accuracy as accuracy,
        counted_rows as counted_rows,
        iou_per_class as iou_per_class,
        mean_defined as mean_defined,
        mean_iou as mean_iou,
        mean_iou_of_all_pixels as mean_iou_of_all_pixels,
        mean_iou_of_present as mean_iou_of_present,
        mean_with_support as mean_with_support,
    )
    from .figures import canvas as canvas, colours as colours, curves as curves, matrix as matrix, panels as panels
    from .figures.page import render_template as render_template
    from .files.contents import other_content as other_content
    from .files.native_output import native_output_hidden as native_output_hidden
    from .files.npy import read_npy_header as read_npy_header
    from .files.regular import check_regular as check_regular, open_regular as open_regular
    from .files.run_folder import FINISHED as FINISHED, RunFolder as RunFolder
    from .files.text import read_text as read_text
    from .files.waiting import waiting as waiting, without_spinner as without_spinner
    from .hooks import hookimpl as hookimpl
    from .messages import get_logger as get_logger
    from .networks.compiled import compiled as compiled
    from .networks.cost import cost_of as cost_of
    from .networks.machine import processors as processors
    from .networks.processes import Processes as Processes
    from .planning.metrics import MetricTable as MetricTable, metric_table as metric_table
    from .planning.plan import Plan as Plan
    from .printable import printable as printable
    from .registry.catalog import installed as installed
    from .registry.kinds import ARCHITECTURE as ARCHITECTURE, BOTTLENECK as BOTTLENECK, Kind as Kind
    from .registry.parameters import param as param, settings as settings
    from .runs.metric_values import metric_values as metric_values
    from .runs.run import Run as Run
    from .shown import NotebookOutput as NotebookOutput

# The module that defines each name: for run time, what the imports above are for a type checker.
_NAMES: Final = {
    "components.exports": (
        "INPUT_NAME",
        "METADATA_NAME",
        "ExportSpec",
    ),
    "components.finished_runs": ("UsesRuns",),
    "components.interfaces": (
        "Architecture",
        "Augmentation",
        "Bottleneck",
        "Component",
        "Dataset",
        "Encoder",
        "Executor",
        "Exporter",
        "Loss",
        "Method",
        "Metric",
        "NetworkSpec",
        "Optimizer",
        "Schedule",
        "Weighting",
    ),
    "components.semi_layer": (
        "SemiLayer",
        "Student",
        "ViewTensors",
    ),
    "components.semi_specs": (
        "LabellingSpec",
        "SemiSpec",
        "Views",
    ),
    "components.specs": (
        "BottleneckSpec",
        "EncoderSpec",
        "LossSpec",
        "MetricSpec",
        "OptimizerSpec",
        "ScheduleSpec",
        "WeightingSpec",
    ),
    "components.tasks": (
        "ExecutorSpec",
        "Task",
        "TaskResult",
        "Workers",
    ),
    "components.weighting_layer": ("WeightingLayer",),
    "conventions": (
        "HEADLINE",
        "LossFunction",
        "TargetFunction",
        "Transform",
        "VOID",
    ),
    "data.arrays": (
        "SegmentationData",
        "scale",
    ),
    "data.cache": (
        "CacheSource",
        "Writer",
    ),
    "data.channels": (
        "to_colour",
        "to_grey",
    ),
    "data.conversion": ("Converter",),
    "data.image_files": (
        "SUFFIXES",
        "refuse_file",
    ),
    "data.images": (
        "Colour",
        "Palette",
        "image_size",
        "orientation_of",
        "pixel_type",
        "read_image",
        "read_mask",
    ),
    "data.limits": (
        "ITEM_LIMIT",
        "PIXEL_LIMIT",
    ),
    "data.chunks": ("items_per_chunk",),
    "data.cached": (
        "GROUPS",
        "IMAGES",
        "MASKS",
        "SUBSET",
        "append_names",
        "note_classes",
        "note_warnings",
        "note_scaling",
        "cached_data",
        "cached_images",
        "cached_values",
    ),
    "data.folder_facts": (
        "FACT_FILE",
        "FolderFacts",
        "read_folder_facts",
    ),
    "data.item_file": ("ITEM_FILE",),
    "data.names": (
        "MAX_NAME",
        "is_text",
        "tile_name",
    ),
    "data.opencv": (
        "by_channels",
        "opencv",
    ),
    "data.split": ("Split",),
    "data.subsets": (
        "SUBSETS",
        "SUBSET_WORDS",
    ),
    "data.ranges": (
        "ImageChunk",
        "Range",
        "determine_scaling",
    ),
    "data.image_reader": ("ImageReader",),
    "data.raster": ("Raster",),
    "data.scaling": (
        "Scaling",
        "numbers_of",
    ),
    "data.statistics": (
        "balanced_weights",
        "rarest_items",
    ),
    "data.tables": (
        "Table",
        "read_table",
    ),
    "data.warps": (
        "Fill",
        "Warp",
    ),
    "errors": (
        "MarssegError",
        "PluginError",
        "RequestError",
        "RunError",
        "counted",
        "nearest",
        "some",
    ),
    "evaluation.confusion": (
        "confusion_matrix",
        "decode",
    ),
    "evaluation.evaluate": ("predicted_batches",),
    "evaluation.formulas": (
        "accuracy",
        "counted_rows",
        "iou_per_class",
        "mean_defined",
        "mean_iou",
        "mean_iou_of_all_pixels",
        "mean_iou_of_present",
        "mean_with_support",
    ),
    "figures": (
        "canvas",
        "colours",
        "curves",
        "matrix",
        "panels",
    ),
    "figures.page": ("render_template",),
    "files.contents": ("other_content",),
    "files.native_output": ("native_output_hidden",),
    "files.npy": ("read_npy_header",),
    "files.regular": (
        "check_regular",
        "open_regular",
    ),
    "files.run_folder": (
        "FINISHED",
        "RunFolder",
    ),
    "files.text": ("read_text",),
    "files.waiting": (
        "waiting",
        "without_spinner",
    ),
    "hooks": ("hookimpl",),
    "messages": ("get_logger",),
    "networks.compiled": ("compiled",),
    "networks.cost": ("cost_of",),
    "networks.machine": ("processors",),
    "networks.processes": ("Processes",),
    "planning.metrics": (
        "MetricTable",
        "metric_table",
    ),
    "planning.plan": ("Plan",),
    "printable": ("printable",),
    "registry.catalog": ("installed",),
    "registry.kinds": (
        "ARCHITECTURE",
        "BOTTLENECK",
        "Kind",
    ),
    "registry.parameters": (
        "param",
        "settings",
    ),
    "runs.metric_values": ("metric_values",),
    "runs.run": ("Run",),
    "shown": ("NotebookOutput",),
}
_MODULES: Final = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module = f"{__package__}.{_MODULES[name]}"
    if _MODULES[name] == "figures":  # here the names are modules themselves
        return import_module(f"{module}.{name}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return __all__
