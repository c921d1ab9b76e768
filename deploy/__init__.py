"""What ships Interlock to where it runs: for now the demo (`deploy.demo`)."""
