"""Flows from programs and notebooks: started, deployed and followed in processes of their own."""
