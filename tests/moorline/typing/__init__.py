"""What a type checker says to programs that use Moorline."""
