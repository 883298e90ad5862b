"""Train, evaluate and export the age and gender models that the sensor runs.

Data flows one way: manifest -> pretrain -> train -> evaluate -> export.
"""
