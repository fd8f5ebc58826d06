"""Parts of scripts/finetune_results."""
