"""Weights on disk: found or downloaded, read whatever wrote them, fitted, and written.

`finding` and `downloads` get a file, `reading` its arrays by name (`torch_files`,
`hidden_networks`, `folders`), and `fitting` finds among them what an architecture needs
(`entries`, `normalisers`). Nothing that is in a file is run.
"""
