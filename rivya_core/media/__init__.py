"""Bodies and files that are not the API's own: downloads, images by URL, local files, image checks."""
