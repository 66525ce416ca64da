"""What has to be recognised: pictures and speech."""
