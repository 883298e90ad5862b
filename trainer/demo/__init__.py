"""A local web page that shows what the model makes of a photo or a webcam.

Small on purpose: aiohttp, one page, no framework. What is made for such pages (Gradio,
Streamlit) stores uploads in files, fetches fonts and scripts from elsewhere and reports
its use; here a picture is looked at in memory and forgotten, and only numbers come back.
"""
