//! Stories of what lasts: the process ends at a bad moment, or its disk does.
