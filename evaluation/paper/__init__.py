"""The check against the paper (Merel & Aldarondo et al., ICLR 2020): its claims beside what is measured."""
