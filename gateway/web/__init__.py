"""The console: pages for the browser and the job API, on a port of their own."""
