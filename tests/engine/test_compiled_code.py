"""What is compiled is cached by its file's date: it must not depend on another file's code or constants."""

import ast
import importlib
import inspect
import pkgutil

import pytest
from numba.core.dispatcher import Dispatcher

import backcast_engine

MODULES = [
    module.name for module in pkgutil.walk_packages(backcast_engine.__path__, f"{backcast_engine.__name__}.")
]


def compiled_functions(module):
    return [
        value
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__
    ]


def assigned_names(module):
    tree = ast.parse(inspect.getsource(module))
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def test_there_are_compiled_functions():
    assert sum(len(compiled_functions(importlib.import_module(name))) for name in MODULES) > 20


@pytest.mark.parametrize("name", MODULES)
def test_compiled_code_depends_on_its_own_file_only(name):
    module = importlib.import_module(name)
    own_names = assigned_names(module)
    for function in compiled_functions(module):
        for used in function.py_func.__code__.co_names:
            value = function.py_func.__globals__.get(used)
            if isinstance(value, Dispatcher):
                assert value.py_func.__module__ == name, f"{function.__name__} calls {used} of another file"
            elif isinstance(value, int | float):
                assert used in own_names, f"{function.__name__} has the constant {used} of another file"
