"""Points: earned by what a member offers and answers, paid by use, settled by arithmetic that anyone can repeat."""
