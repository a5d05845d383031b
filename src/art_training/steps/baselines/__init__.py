"""What EvaluateBaseline compares with: scikit-learn models on flattened inputs, and what makes sense where there are none."""
