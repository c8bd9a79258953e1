"""What templates receive: plain, finished values, so that no template asks the database or decides a right."""
