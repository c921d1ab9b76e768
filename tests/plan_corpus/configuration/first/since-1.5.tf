# What is imported later is made by somebody else.
