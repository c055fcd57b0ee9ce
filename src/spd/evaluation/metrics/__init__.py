"""Numbers that compare predicted depth with measured depth; numpy only, never torch."""
