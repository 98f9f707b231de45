"""The commands of ``weft``, one module each: ``add_parser(subparsers)`` and ``run(args)``."""
