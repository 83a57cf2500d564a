"""Other tools over the same captures: what they take, and how many resets they report.

`tools` says how each is called and read, `provide` installs them, `measure` runs them one after the other, `report`
writes the table.
"""
