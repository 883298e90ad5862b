"""A node of a fleet: counts people before its cameras and tells them to an MQTT broker.

The way of the data: `source` -> the engine and the census of the vision package -> `entities`
-> `broker`; `node` turns the wheel. What Home Assistant's integration does at home, a node does
without Home Assistant, by the same rules.
"""
