"""Stillwatch finds, proves and explains distillation campaigns in a language-model API's traffic logs."""

__version__ = "0.1.0"
