"""Models that are not on this machine yet: `hub:ID` from Hugging Face, `kaggle:HANDLE` from Kaggle."""
