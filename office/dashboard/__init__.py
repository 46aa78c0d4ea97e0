"""The page of the back office (`sscoffice serve`): a few files for the browser, and what they ask.

The server only hands out rows and bytes.  That a record is signed, in its batch, and its batch in
the office's tree, is checked in the reader's browser (proof.js), from those bytes alone.
"""
