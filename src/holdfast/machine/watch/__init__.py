"""The program that watches files for all services of a supervisor; the only one that loads watchfiles."""
