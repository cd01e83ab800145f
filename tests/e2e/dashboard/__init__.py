"""A package, so that what all its tests share ends with the last of them: scope "package" is a package's."""
