"""Published depth models in transformers' format, with the interface of a predictor."""
