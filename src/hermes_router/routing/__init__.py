"""Who is asked, and in which order. Pure: a request, the roster and the time go in; no I/O, nothing is changed."""
