"""What `holdfast doctor` looks at; every look only reads."""
