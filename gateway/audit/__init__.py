"""The audit trail: one record for each decision, in a form that shows when one was changed or taken away."""
