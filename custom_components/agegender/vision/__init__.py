"""Faces in pictures become ages and genders. Needs numpy and Pillow, nothing else.

One way: `frame.decode` -> `engine.Engine.analyze` (`detector`, `align`, `estimator`)
-> `census.count`.
"""
