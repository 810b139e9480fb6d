"""Methods of a repository by plans: a class for each kind, which `ByPlan` puts together."""
