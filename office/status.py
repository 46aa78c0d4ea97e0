"""Exit statuses of `sscoffice`, the same for every act (docs/backoffice.md)."""

DONE = 0
FAILED = 1  # not done, or done and something must be looked at
NOTHING = 2  # there was nothing to do
NOT_FOUND = 3  # what was named is not there
